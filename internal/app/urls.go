package app

import "gatehouse.dev/internal/adminapi"

// GateURL is where callers reach the gate from this machine.
func (s *Server) GateURL() string { return s.gateDoor.url() }

// DeskURL is where people reach the desk from this machine.
func (s *Server) DeskURL() string { return s.deskDoor.url() }

// AdminURL is where the admin API is.
func (s *Server) AdminURL() string { return s.DeskURL() + adminapi.Base }

// GateAddress and DeskAddress are the addresses that were bound, where the
// configuration may have asked for any free port.
func (s *Server) GateAddress() string { return s.gateDoor.listener.Addr().String() }

// DeskAddress is the address of the desk.
func (s *Server) DeskAddress() string { return s.deskDoor.listener.Addr().String() }

// IdentityIssuer is who states identities to backends.
func (s *Server) IdentityIssuer() string { return s.config.Identity.Issuer }
