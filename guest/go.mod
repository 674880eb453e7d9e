module nexus/guest

go 1.27
