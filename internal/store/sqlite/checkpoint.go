package sqlite

import "os"

const (
	// checkEvery is how many batches pass between looks at the log's size.
	checkEvery = 256
	// logLimit is the size beyond which the log is emptied by force.
	logLimit = 32 << 20
)

// keepLogSmall helps where SQLite's own checkpoints, which wait for nobody,
// never find a moment without readers: it waits for them a little, so that the
// log can start again from its beginning.
func (w *writer) keepLogSmall() {
	w.since++
	if w.since < checkEvery || w.c == nil {
		return
	}
	w.since = 0
	info, err := os.Stat(w.cfg.Path + "-wal")
	if err != nil || info.Size() < logLimit {
		return
	}
	w.c.run("PRAGMA busy_timeout = 100")
	if err := w.c.run("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		w.cfg.Logger.Warn("write-ahead log not emptied", "bytes", info.Size(), "error", err)
	}
	w.c.run("PRAGMA busy_timeout = 5000")
}
