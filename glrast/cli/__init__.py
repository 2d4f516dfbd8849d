"""What a person types: glrast fit, render, doctor, bench. One file a command; main.py finds it."""
