package turn

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// ICEServers mints credentials for a user that are valid for the configured time: one entry for STUN, one for TURN.
func (s *Server) ICEServers(user string) (servers []ICEServer, expires time.Time) {
	return s.Credentials(user, s.settings.Load().TTL)
}

// Credentials is ICEServers for another life time, which is cut to what the server accepts: 1 s to 48 h.
func (s *Server) Credentials(user string, ttl time.Duration) (servers []ICEServer, expires time.Time) {
	cfg := s.settings.Load()
	expires = time.Now().Add(min(max(ttl, time.Second), longestTTL)).Truncate(time.Second)
	stun, turn := s.urls(cfg)
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
	stun, turn := s.urls(s.settings.Load())
	return append(stun, turn...)
}

func (s *Server) urls(cfg *settings) (stun, turn []string) {
	if !cfg.Enabled {
		return nil, nil
	}
	s.mu.Lock()
	all := slices.Clone(s.listening)
	s.mu.Unlock()
	for _, l := range all {
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
