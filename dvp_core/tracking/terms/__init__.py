"""The energy's terms, one residual a file; each returns residuals in units of their expected error."""
