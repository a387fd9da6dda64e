// Command bench measures Gatehouse against something bare that does the same
// work without it, on the same machine, in the same run, under the same load.
//
//	make bench                         all rows
//	go run ./bench -only gateway-jwt   one row
//	go run ./bench -write              all rows, and the table in bench/README.md
//
// Absolute times say more about a machine than about a program, so every row is
// a ratio. The two sides take turns, for several rounds, and the ratio is the
// median over the rounds: what disturbs the machine disturbs both, and one bad
// round decides nothing. A round that got a wrong answer fails the row.
//
// HTTP load comes from wrk (https://github.com/wg/wrk), the same script on both
// sides. Servers and their load share the processors, as they would not in
// production; that is the same for both sides too, and makes a ratio that is
// hard to reach rather than easy.
//
// Crowds of WebSocket clients are the kit's own: a goroutine for each, over raw
// connections, the same for both sides.
package main
