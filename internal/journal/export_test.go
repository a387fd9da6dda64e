package journal

import "syscall"

// FillDisk lets writes of j fail from the nth byte on, as on a full disk, until
// the returned function is called.
func (j *Journal) FillDisk(n int) (free func()) {
	real := j.file
	j.file = &fullDisk{file: real, left: n}
	return func() { j.file = real }
}

type fullDisk struct {
	file
	left int
}

func (f *fullDisk) Write(b []byte) (int, error) {
	if len(b) <= f.left {
		f.left -= len(b)
		return f.file.Write(b)
	}
	n, err := f.file.Write(b[:f.left])
	f.left = 0
	if err == nil {
		err = syscall.ENOSPC
	}
	return n, err
}
