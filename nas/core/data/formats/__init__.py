"""The formats that data sets come in, each as one loader."""
