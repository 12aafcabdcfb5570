"""Who knows what an address is: a file for each kind of bookkeeping; `locate` asks them in turn."""
