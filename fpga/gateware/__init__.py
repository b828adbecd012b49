"""Circuit around the engine on a board: a serial link, one memory, streams to and from it."""
