// What texture_forward and texture_backward are given.
#pragma once
#include "common.cuh"

enum Filter { kNearest, kLinear, kLinearMipmapNearest, kLinearMipmapLinear };
enum Boundary { kWrap, kClamp, kZero, kMirror, kCube };

// Levels 0 to 24, since a side has at most 2^24 texels, and what follows the last.
#define GLRAST_LEVELS 26

struct TextureArgs {
    int width;                // W
    int H;
    int64 rows;               // N*H
    float* grad;              // [texels,C]: of tex and, after it, of mip; or null: not asked for
    int64 texels;
    const float* tex;         // [B,Ht,Wt,C] or [B,6,S,S,C]
    const float* mip;         // levels 1, 2, ... one after another, each [B,(6,)h,w,C]; null where last = 0
    int64 levels[GLRAST_LEVELS];  // texels before each level: level 0 has 0, level 1 all of tex; after the last: in all
    int last;                 // the last level
    int many;                 // 1: an image has its own texture, 0: all share one
    int Ht;
    int Wt;
    int C;
    int filter;               // as enum Filter
    int boundary;             // as enum Boundary
    const float* uv;          // [N,H,W,2], cube: [N,H,W,3]
    const float* uv_da;       // [N,H,W,4], cube: [N,H,W,6], or null
    const float* bias;        // [N,H,W] or null
    float* out;               // [N,H,W,C]
    const float* grad_out;    // [N,H,W,C]
    float* grad_uv;           // like uv, or null
    float* grad_uv_da;        // like uv_da, or null
    float* grad_bias;         // like bias, or null
};
