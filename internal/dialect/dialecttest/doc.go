// Package dialecttest replays recorded exchanges against a server, byte for
// byte over TCP, and compares what comes back. Dialects keep theirs in
// testdata/*.txt, where they are also the shortest description of the protocol.
//
// A recording is a list of exchanges. Each line says who promises it: the vendor
// (documented), or we where the vendor is silent (decision).
//
//	=== a token for a key and a secret
//	documented > POST /auth/token HTTP/1.1
//	documented > Authorization: Basic {{base64 {{key}}:{{secret}}}}
//	decision   > Content-Length: {{length}}
//	documented >
//	documented > grant_type=client_credentials
//
//	documented < HTTP/1.1 200 OK
//	documented < Cache-Control: no-store
//	decision   < Date: {{: .* GMT}}
//	documented <
//	documented < {"access_token":"{{token: [\w.-]+}}","token_type":"JWT"}
//
//	do         revoke {{token}}
//
// What is sent (>) goes out as it stands, head lines with CRLF, body lines
// joined by LF. What comes back (<) must have that status line, exactly those
// headers in any order, and that body. Lines that begin with # are comments.
//
// After an answer with status 101 the lines are WebSocket frames:
//
//	documented >> text {"user":"{{name}}"}
//	documented << text {"ok":true}
//	decision   << close 1008 {{: .*}}
//	decision   << eof
//
// with text, binary (in hex), ping, pong and close (code and reason) in both
// directions, and eof for the end of the connection. A target may have kinds of
// its own (Target.Forms), for frames that are encrypted on the way. Time counts
// on lines that come back: the next frame must come within so long, or nothing
// may for so long.
//
//	decision   << silence 1s
//	decision   << within 3s close 1008
//
// A line that begins with do calls the test: the first word names a function of
// [Target.Do], the rest are its arguments. It happens where it stands, also
// between frames.
//
// Between double braces stands, on any line,
//
//	{{name}}            a variable of the target, or one captured earlier
//	{{base64 text}}     standard base64 of text
//	{{form text}}       text form-encoded
//	{{hex 0d0a}}        those bytes
//	{{repeat 100 text}} text, a hundred times
//	{{length}}          on a sent line: the number of bytes of the body
//
// and on lines that come back also
//
//	{{name: regexp}}    anything that matches, kept as a variable
//	{{: regexp}}        anything that matches
//
// Braces may be nested. Each exchange has its own connection.
package dialecttest
