module tailwater/bench/peer_load

go 1.22
