package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rsc.io/qr"

	"gatehouse.dev/internal/adminapi"
)

// quiet is how many modules stay blank around a code (ISO/IEC 18004, 9.1).
const quiet = 4

// checkCodeFile refuses a name before anything is made.
func checkCodeFile(name string) error {
	if name == "" {
		return nil
	}
	if ext := filepath.Ext(name); ext != ".svg" && ext != ".png" {
		return errors.New("--qr-file ends in neither .svg nor .png")
	}
	if _, err := os.Lstat(name); err == nil {
		return fmt.Errorf("%s is there already", name)
	}
	return nil
}

// showCode shows a token, as its link where there is one, for a telephone.
func (a *admin) showCode(in credentialFlags, out adminapi.Issued) error {
	if !in.qr && in.qrFile == "" {
		return nil
	}
	code, err := qr.Encode(cmp.Or(out.Link, out.Secret), qr.M)
	if err != nil {
		return fmt.Errorf("make QR code: %w", err)
	}
	if in.qrFile != "" {
		if err := writeCode(in.qrFile, code); err != nil {
			return fmt.Errorf("write QR code: %w", err)
		}
	}
	if in.qr {
		if _, err := fmt.Fprint(a.stdout, "\n", codeText(code)); err != nil {
			return err
		}
	}
	return nil
}

// writeCode makes a file that only its owner can read: the code is a secret.
func writeCode(name string, code *qr.Code) error {
	data := code.PNG()
	if filepath.Ext(name) == ".svg" {
		data = codeSVG(code)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// codeText draws a code two rows to a line, dark on light whatever the colours
// of the terminal are.
func codeText(code *qr.Code) string {
	var b strings.Builder
	dark := func(x, y int) bool { return x >= 0 && y >= 0 && x < code.Size && y < code.Size && code.Black(x, y) }
	for y := -quiet; y < code.Size+quiet; y += 2 {
		b.WriteString("\x1b[30;107m")
		for x := -quiet; x < code.Size+quiet; x++ {
			switch upper, lower := dark(x, y), dark(x, y+1); {
			case upper && lower:
				b.WriteString("█")
			case upper:
				b.WriteString("▀")
			case lower:
				b.WriteString("▄")
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString("\x1b[0m\n")
	}
	return b.String()
}

func codeSVG(code *qr.Code) []byte {
	var b bytes.Buffer
	side := code.Size + 2*quiet
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges">`+
		`<rect width="100%%" height="100%%" fill="#fff"/><path d="`, side, side)
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	b.WriteString("\"/></svg>\n")
	return b.Bytes()
}
