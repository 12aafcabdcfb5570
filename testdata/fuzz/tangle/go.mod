module tangle

go 1.21
