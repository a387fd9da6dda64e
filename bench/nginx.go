package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

// nginxConf is what docs/forward-auth.md shows, with connections kept open to
// both sides, as whoever cares for speed has it.
const nginxConf = `
daemon off;
worker_processes auto;
pid %[1]s/pid;
error_log stderr error;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	keepalive_requests 1000000000;
	upstream gate { server %[3]s; keepalive 64; keepalive_requests 1000000000; }
	upstream back { server %[4]s; keepalive 64; keepalive_requests 1000000000; }
	proxy_http_version 1.1;
	server {
		listen %[2]s;
		location = /gatehouse {
			internal;
			proxy_pass http://gate/-/forward-auth;
			proxy_pass_request_body off;
			proxy_set_header Connection "";
			proxy_set_header Content-Length "";
			proxy_set_header Host $host;
			proxy_set_header X-Original-URI $request_uri;
			proxy_set_header X-Original-Method $request_method;
			proxy_set_header X-Forwarded-For $remote_addr;
			proxy_set_header X-Forwarded-Proto $scheme;
		}
		location / {
			auth_request /gatehouse;
			auth_request_set $identity $upstream_http_gatehouse_identity;
			proxy_set_header Connection "";
			proxy_set_header Gatehouse-Identity $identity;
			proxy_set_header Authorization "";
			proxy_set_header X-API-Key "";
			proxy_pass http://back;
		}
	}
}
`

// findNginx looks where Debian puts it, too.
func findNginx() (string, error) {
	if path, err := exec.LookPath("nginx"); err == nil {
		return path, nil
	}
	if _, err := os.Stat("/usr/sbin/nginx"); err == nil {
		return "/usr/sbin/nginx", nil
	}
	return "", fmt.Errorf("nginx is %w", errAbsent)
}

// startNginx starts one in front of the same backend, asking g about each
// request, until the row is done.
func (l *lab) startNginx(ctx context.Context, g *gatehouse) (*process, string, error) {
	program, err := findNginx()
	if err != nil {
		return nil, "", err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	dir, err := os.MkdirTemp(l.dir, "nginx-")
	if err != nil {
		return nil, "", err
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, nginxConf, dir, addr, g.gate, g.backend), 0o600); err != nil {
		return nil, "", err
	}
	p, err := l.start(program, "-p", dir, "-e", "stderr", "-c", file)
	if err != nil {
		return nil, "", err
	}
	_, err = p.answers(ctx, "http://"+addr+path, http.StatusUnauthorized)
	return p, addr, err
}
