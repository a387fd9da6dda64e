package sqlite

import (
	"database/sql/driver"
	"time"

	"modernc.org/sqlite"
)

// The function db_now() is the clock in SQL texts, in Unix microseconds. On
// PostgreSQL a migration defines it; here the database's clock is this
// machine's.
func init() {
	sqlite.MustRegisterScalarFunction("db_now", 0, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		return time.Now().UnixMicro(), nil
	})
}
