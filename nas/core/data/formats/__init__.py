"""The formats of data sets, one loader each."""
