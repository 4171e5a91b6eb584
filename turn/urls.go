package turn

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// ICEServers mints credentials for a participant that are valid for the configured time: one entry for STUN, one for TURN.
// A UDP port that is media's too is left out: Chromium takes whatever comes from the address of a STUN or TURN server for
// an answer of that server, so it would never see media from there. Who reaches the port needs no relay to it.
func (s *Server) ICEServers(user string) (servers []ICEServer, expires time.Time) {
	mine := slices.DeleteFunc(s.listens(), func(l listening) bool { return l.shared && l.kind == kindUDP })
	return s.mint(user, s.settings.Load().TTL, mine)
}

// Credentials is for who has nothing to do with media: every address, and a life time, which is cut to what the server
// accepts: 1 s to 48 h.
func (s *Server) Credentials(user string, ttl time.Duration) (servers []ICEServer, expires time.Time) {
	return s.mint(user, ttl, s.listens())
}

func (s *Server) mint(user string, ttl time.Duration, at []listening) (servers []ICEServer, expires time.Time) {
	cfg := s.settings.Load()
	expires = time.Now().Add(min(max(ttl, time.Second), longestTTL)).Truncate(time.Second)
	stun, turn := s.urls(cfg, at)
	if len(stun) > 0 {
		servers = append(servers, ICEServer{URLs: stun})
	}
	if len(turn) > 0 {
		name, password := cfg.keys.Mint(user, expires)
		servers = append(servers, ICEServer{URLs: turn, Username: name, Credential: password})
	}
	return servers, expires
}

// Advertised lists the URLs under which the server can be reached.
func (s *Server) Advertised() []string {
	stun, turn := s.urls(s.settings.Load(), s.listens())
	return append(stun, turn...)
}

func (s *Server) listens() []listening {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.listening)
}

func (s *Server) urls(cfg *settings, at []listening) (stun, turn []string) {
	if !cfg.Enabled {
		return nil, nil
	}
	for _, l := range at {
		for _, host := range s.hosts(cfg, l) {
			switch l.kind {
			case kindUDP:
				stun = append(stun, "stun:"+host)
				turn = append(turn, "turn:"+host+"?transport=udp")
			case kindTCP:
				turn = append(turn, "turn:"+host+"?transport=tcp")
			case kindTLS:
				turn = append(turn, "turns:"+host+"?transport=tcp")
			}
		}
	}
	return stun, append(turn, cfg.URLs...)
}

// hosts are the names and ports of a listening address for a URL. TLS goes by the name in the certificate, when we know it.
func (s *Server) hosts(cfg *settings, l listening) (hosts []string) {
	port := strconv.Itoa(int(l.at.Port()))
	if l.kind == kindTLS && cfg.TLS.Domain != "" {
		return []string{net.JoinHostPort(cfg.TLS.Domain, port)}
	}
	for _, a := range s.network.Load().advertised(l.at.Addr()) {
		hosts = append(hosts, netip.AddrPortFrom(a, l.at.Port()).String())
	}
	return hosts
}
