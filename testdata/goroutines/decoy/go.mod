module decoy

go 1.21
