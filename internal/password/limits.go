package password

// Bounds on hashes that others made. Whoever can import a hash could otherwise
// make every login attempt on it cost as much as he likes.
const (
	maxEncoded  = 512  // characters of an encoded hash
	maxPassword = 1024 // bytes of a password

	minArgonMemory = 8          // KiB; RFC 9106 demands 8 per lane
	maxArgonMemory = 256 * 1024 // KiB
	maxArgonTime   = 16
	maxArgonLanes  = 16
	maxArgonWork   = 1024 * 1024 // KiB × passes

	minBcryptCost = 4
	maxBcryptCost = 14 // about a second

	minRounds   = 1
	maxRounds   = 5_000_000
	cheapRounds = 60_000 // PBKDF2 below this is faster than our Argon2id

	minSalt, maxSalt = 1, 64
	minHash, maxHash = 16, 64
)
