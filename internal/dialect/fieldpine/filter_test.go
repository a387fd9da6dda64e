package fieldpine

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"gatehouse.dev/internal/push"
)

func TestFilter(t *testing.T) {
	t.Parallel()
	const values = `{"dbm":-61,"addr":"A0B1","shop":3,"on":true,"none":null,"big":9007199254740993,"sku":"0042","name":"Bob's big Shop","deep":{"x":1}}`
	for q, want := range map[string]bool{
		``: true, `{}`: true, `null`: true,
		`{"_sc":"custdisp.sale.update"}`:               true,
		`{"_sc":"custdisp.sale.*"}`:                    true,
		`{"_sc":"custdisp.sal.*"}`:                     false,
		`{"_sc":["sale.create","custdisp.*"]}`:         true,
		`{"_sc(!=)":"custdisp.sale.*"}`:                false,
		`{"_sc(<>)":"sale.create"}`:                    true,
		`{"dbm(>=)":-70}`:                              true,
		`{"dbm(>=)":-61}`:                              true,
		`{"dbm(>)":-61}`:                               false,
		`{"dbm(<)":-9}`:                                true,
		`{"dbm(<=)":-62}`:                              false,
		`{"dbm(gt)":-62,"dbm(lt)":-60}`:                true,
		`{"dbm":"-61"}`:                                true,
		`{"dbm":-61.0}`:                                true,
		`{"dbm(=)":-60}`:                               false,
		`{"dbm(ne)":-60}`:                              true,
		`{"dbm(!=)":[-60,-61]}`:                        false,
		`{"shop":[2,3,4]}`:                             true,
		`{"shop":[2,4]}`:                               false,
		`{"on":true}`:                                  true,
		`{"addr(>)":"A0"}`:                             true,
		`{"big":9007199254740992}`:                     false,
		`{"big":9007199254740993}`:                     true,
		`{"sku":42}`:                                   false,
		`{"sku(>=)":"0042"}`:                           true,
		`{"name(like)":"BIG"}`:                         true,
		`{"name(like,typed)":"%shop%"}`:                true,
		`{"name(like)":"alice"}`:                       false,
		`{"name(like.words)":"shop bob"}`:              true,
		`{"name(starting)":"bob"}`:                     true,
		`{"name(starting)":"big"}`:                     false,
		`{"missing":1}`:                                false,
		`{"missing(<)":1}`:                             false,
		`{"missing(!=)":1}`:                            true,
		`{"missing":null,"none":null}`:                 true,
		`{"dbm":null}`:                                 false,
		`{"deep":1}`:                                   false,
		`{"_sc":"custdisp.sale.update","dbm(>=)":-61}`: true,
		`{"_sc":"custdisp.sale.update","dbm(>)":0}`:    false,
	} {
		f, err := parseFilter(jsontext.Value(q))
		m := push.Message{Event: &push.Event{Name: "e", Schema: "custdisp.sale.update", Values: jsontext.Value(values)}}
		if err != nil || m.Check() != nil {
			t.Errorf("%s: %v", q, err)
		} else if got := f.matches(m.Event); got != want {
			t.Errorf("%s matches: %v, want %v", q, got, want)
		}
	}
}

func TestFilterRefused(t *testing.T) {
	t.Parallel()
	many := strings.Repeat(`,"a":1`, 0)
	for i := range maxConditions + 1 {
		many += `,"` + strings.Repeat("a", i+1) + `":1`
	}
	for _, q := range []string{
		`[]`, `"x"`, `1`, `{"a":1,"a":2}`, `{"a(~)":1}`, `{"a(>":1}`, `{"a(>))":1}`, `{"a()(>)":1}`, `{"(>)":1}`, `{"":1}`,
		`{"_other":1}`, `{"a":{}}`, `{"a":[]}`, `{"a":[[1]]}`, `{"a":"` + strings.Repeat("x", maxFilterText+1) + `"}`,
		`{"a":[` + strings.Repeat("1,", maxListed) + `1]}`, `{"a":1,"b":[` + strings.Repeat("1,", maxListed-1) + `1]}`, `{` + many[1:] + `}`,
	} {
		if _, err := parseFilter(jsontext.Value(q)); err == nil {
			t.Errorf("%.60s was taken", q)
		}
	}
}

// A long text of an event is folded once for a condition, not once for each of
// its values: whoever listens must not make publishing slow for all others.
func TestFilterFoldsTextsOnce(t *testing.T) {
	for _, p := range []string{"like", "like.words", "starting"} {
		f, err := parseFilter(jsontext.Value(`{"name(` + p + `)":[` + strings.Repeat(`"NOBODY",`, maxListed-1) + `"NOBODY"]}`))
		e := &push.Event{Name: "e", Values: jsontext.Value(`{"name":"` + strings.Repeat("SHOP ", 1000) + `"}`)}
		m := push.Message{Event: e}
		if err != nil || m.Check() != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(10, func() { f.matches(e) }); n > 8 {
			t.Errorf("%s: %v allocations for one event", p, n)
		}
	}
}

func TestFilterSchema(t *testing.T) {
	t.Parallel()
	for q, want := range map[string]string{
		``: "*", `{"dbm":1}`: "*", `{"_sc":"a.b"}`: "a.b", `{"_sc(=)":"a.*"}`: "a.*", `{"_sc":["a","b"]}`: "*",
		`{"_sc(!=)":"a"}`: "*", `{"_sc(like)":"a"}`: "*",
	} {
		f, err := parseFilter(jsontext.Value(q))
		if err != nil || f.schema() != want {
			t.Errorf("%s: schema %q, %v, want %q", q, f.schema(), err, want)
		}
	}
}

// FuzzFilter: whatever is taken can be held against an event, and what lets
// an event of one schema through says so to policy.
func FuzzFilter(f *testing.F) {
	for _, q := range []string{``, `{"_sc":"a.*","n(>=)":-1e3}`, `{"n(like,typed)":["x",null,true]}`, `{"_sc(!=)":"","n(<)":"1"}`} {
		f.Add(q, "a.b", `{"n":1,"m":"x"}`)
	}
	f.Fuzz(func(t *testing.T, q, schema, values string) {
		fl, err := parseFilter(jsontext.Value(q))
		if err != nil {
			return
		}
		m := push.Message{Event: &push.Event{Name: "e", Schema: schema, Values: jsontext.Value(values)}}
		if m.Check() != nil {
			return
		}
		if fl.matches(m.Event) && !schemaFits(schema, fl.schema()) {
			t.Errorf("%q lets %q through, but policy was told %q", q, schema, fl.schema())
		}
	})
}
