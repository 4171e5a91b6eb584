package metrics

import (
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/turnout-rtc/turnout/sfu"
	"github.com/turnout-rtc/turnout/signaling"
	"github.com/turnout-rtc/turnout/turn"
)

func snapshot() Snapshot {
	return Snapshot{
		Media:     sfu.Stats{Transports: 3, PacketsIn: 1000, Dropped: map[string]uint64{"late": 2, "unknown": 1}},
		Signaling: signaling.Stats{Rooms: 1, Participants: 3, Joins: 5, Refused: map[string]uint64{"auth.expired": 1}},
		TURN:      turn.Stats{Allocations: 2},
	}
}

func TestExpositionHoldsThePlanesTheRuntimeAndTheBuild(t *testing.T) {
	w := httptest.NewRecorder()
	Handler("v1", snapshot).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	body, _ := io.ReadAll(w.Result().Body)
	for _, want := range []string{
		"turnout_rooms 1\n", "turnout_participants 3\n", "turnout_joins_total 5\n", "turnout_rtc_received_packets_total 1000\n",
		`turnout_joins_refused_total{code="auth.expired"} 1`, `turnout_rtc_dropped_total{reason="late"} 2`, "turnout_turn_allocations 2\n",
		`turnout_build_info{goversion="go`, `version="v1"} 1`, "go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("missing %q in\n%s", want, body)
		}
	}
}

func TestATURNServerAloneShowsNoRooms(t *testing.T) {
	w := httptest.NewRecorder()
	HandlerOf("v1", snapshot, "turnout_turn_").ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	body := w.Body.String()
	if !strings.Contains(body, "turnout_turn_allocations 2\n") || !strings.Contains(body, "turnout_build_info") || strings.Contains(body, "turnout_r") {
		t.Error(body)
	}
}

func TestNamesFollowPrometheusConventions(t *testing.T) {
	families, err := registry("v1", snapshot).Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "turnout_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// TestEveryCounterOfEveryPlaneIsShown fails when a plane's Stats get a field that no family reads: it sets one field at a
// time and looks for its value.
func TestEveryCounterOfEveryPlaneIsShown(t *testing.T) {
	var s Snapshot
	eachLeaf(reflect.ValueOf(&s).Elem(), "", func(path string, field reflect.Value) {
		const mark = 4711
		switch field.Kind() {
		case reflect.Int, reflect.Int64:
			if field.SetInt(mark); field.Type() == reflect.TypeFor[time.Duration]() {
				field.SetInt(int64(mark * time.Second))
			}
		case reflect.Uint64:
			field.SetUint(mark)
		case reflect.Map:
			field.Set(reflect.MakeMap(field.Type()))
			field.SetMapIndex(reflect.ValueOf("reason").Convert(field.Type().Key()), reflect.ValueOf(mark).Convert(field.Type().Elem()))
		default:
			t.Fatalf("%s has a kind that cannot be shown", path)
		}
		if !shows(s, mark) {
			t.Errorf("no metric shows %s", path)
		}
		field.SetZero()
	})
}

func eachLeaf(v reflect.Value, path string, f func(string, reflect.Value)) {
	if v.Kind() != reflect.Struct {
		f(path, v)
		return
	}
	for i := range v.NumField() {
		eachLeaf(v.Field(i), path+"."+v.Type().Field(i).Name, f)
	}
}

func shows(s Snapshot, mark float64) bool {
	for _, v := range values() {
		if v.from(s) == mark {
			return true
		}
	}
	for _, r := range labels() {
		for _, n := range r.from(s) {
			if float64(n) == mark {
				return true
			}
		}
	}
	return false
}
