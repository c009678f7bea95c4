"""Opening what others wrote in a child process first, so that a native crash ends in a clear error."""
