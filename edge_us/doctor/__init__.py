"""What this machine has, what a run will use, and how to get the rest: facts are gathered first, judged after."""
