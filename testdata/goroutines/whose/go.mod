module whose

go 1.21
