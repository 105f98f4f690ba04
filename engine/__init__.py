"""The engine: rule text and a snapshot come in, outcomes and their reasons go out."""
