"""What `glrast bench` measures:

scene       the sphere that everything is measured on
measure     medians, copy bandwidth, peak memory
operations  each operation: milliseconds, bytes that it must move
peer        another renderer on the same mesh and camera, interleaved
exact       fragments and resolve against antialias, stage by stage
members     every answer to the discontinuity problem, in turns with antialias
paper       the table of Laine et al. 2020; paper_page: as a page
renderers   whom it compares, each in a process of its own
launches    kernels launched on a GPU and what the host takes for them, without one
overhead    what Python and the dispatcher take, OpenGL's time apart
texture     linear and trilinear, 2D and cube, and PyTorch's grid_sample
replaced    a member that is another for a while
scaling     growth with pixels and triangles
table       the numbers as Markdown
"""
