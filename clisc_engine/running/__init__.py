"""How work is done: cases one by one, control, journal, ranks, batch sizes, devices."""
