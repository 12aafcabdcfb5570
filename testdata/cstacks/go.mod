module cstacks

go 1.21
