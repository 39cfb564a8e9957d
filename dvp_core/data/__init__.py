"""The nouns that cross the walls between rooms, and their files.

Frozen dataclasses of numpy arrays with shape checks; no room's own work is done here.
"""
