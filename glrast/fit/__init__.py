"""From posed pictures to a coloured mesh, in the order the data takes.

dataset (images)          views: pictures with alpha and cameras      demo_scene, demo_views
  hull                    the shape that the masks allow
    stages                coarse to fine
      loop                minibatch -> model -> losses -> step (glrast.losses, glrast.optim); checkpoint
        report, turntable figures, pictures and the mesh, written atomically (core/files)
"""
