"""One function per arrow of the line of data: files in, files out, skipping what is fresh.

    clip -> landmarks -> take -> edited take -> passes -> frames -> composed shot and movie

Scripts, the command line, the farm and the demo all call these and nothing below them.
"""
