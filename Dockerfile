# glrast in a container: one image that renders on an NVIDIA GPU, and on llvmpipe where there is none.
#
#   docker build -t glrast .                                                    # for GPUs; gigabytes of CUDA
#   docker build -t glrast --build-arg TORCH=torch==2.13.0+cpu --build-arg EXTRAS=fit \
#       --build-arg PIP_EXTRA_INDEX_URL=... .                                   # for CPUs
#   docker run --rm glrast doctor
#   docker run --rm --gpus all -v "$PWD/out:/out" glrast fit demo --out /out
#
# BASE  any Debian or Ubuntu whose python3 is 3.10 or newer      TORCH   pip's requirement for PyTorch
# PIP_* where pip may find packages, as pip's variables          EXTRAS  of pyproject.toml
ARG BASE=debian:bookworm-slim

# ---- build: a virtual environment with the package, and the compiler that its kernels need ----------------
FROM ${BASE} AS build
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends g++ python3 python3-venv >/dev/null \
 && rm -rf /var/lib/apt/lists/*
ARG TORCH=torch
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_CERT
RUN python3 -m venv /opt/glrast && /opt/glrast/bin/pip install -q "${TORCH}"
ARG EXTRAS=fit,cuda
COPY . /src/
RUN /opt/glrast/bin/pip install -q "/src[${EXTRAS}]"

# ---- the image: Python, libEGL, Mesa's software rasterizer, and no compiler ------------------------------
FROM ${BASE}
# The JSON tells libEGL of NVIDIA's driver, whose libraries the container runtime mounts, often without it.
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        python3 libegl1 libgl1 libegl-mesa0 libgl1-mesa-dri >/dev/null \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir -p /usr/share/glvnd/egl_vendor.d \
 && echo '{"file_format_version":"1.0.0","ICD":{"library_path":"libEGL_nvidia.so.0"}}' \
        > /usr/share/glvnd/egl_vendor.d/10_nvidia.json \
 && useradd --create-home glrast
COPY --from=build /opt/glrast /opt/glrast
# `graphics` brings the driver's OpenGL into the container. PASSIVE: PyTorch's idle threads leave llvmpipe its core.
ENV PATH=/opt/glrast/bin:$PATH \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=graphics,compute,utility \
    OMP_WAIT_POLICY=PASSIVE
USER glrast
WORKDIR /home/glrast
ENTRYPOINT ["glrast"]
CMD ["--help"]
