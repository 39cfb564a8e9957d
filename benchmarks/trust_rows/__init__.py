"""The rows of the acceptance table of labels, consent and verification: one function each, a file a section."""
