"""Makes the built-in actor: its performance, its voice, and the picture that Cycles renders of it."""
