"""Why is my gradient zero? Answers from the autograd graph of a loss and from the buffers that it keeps.

explain.py asks in the order the gradient flows; graph.py walks the graph; view.py looks at the mesh in the image;
edges.py at what antialias found; answer.py is what comes out.
"""

from .answer import Explanation, Finding
from .explain import explain

__all__ = ["Explanation", "Finding", "explain"]
