module wimds-go-driver

go 1.26
