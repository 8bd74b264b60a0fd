"""Work on independent items in processes of this machine or of a cluster, signals, and memory."""
