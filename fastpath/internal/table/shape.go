package table

import "nave/fastpath/internal/arena"

// Shape is a number that differs when the records of the tables are laid out otherwise.
func Shape() uint64 {
	return arena.Shape(root{}, Port{}, Tunnel{}, Adj{}, SA{}, pathSet{}, rootNode{}, childNode{}, labelChunk{}, labelCounts{}, vlanMap{})
}
