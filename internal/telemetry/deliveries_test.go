package telemetry

import (
	"fmt"
	"maps"
	"testing"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// Whatever Notify reports, there is a bounded number of series.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	d := m.Deliveries()
	d.Observe("delivered", govwifi.CredentialsSMS)
	for i := range 100 {
		d.Observe(fmt.Sprint("status-", i), govwifi.Template(fmt.Sprint("template-", i)))
	}
	d.Observe("permanent-failure", "")
	families, err := m.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == "signup_deliveries_total" {
				got[metric.GetLabel()[0].GetValue()+" "+metric.GetLabel()[1].GetValue()] = metric.GetCounter().GetValue()
			}
		}
	}
	want := map[string]float64{"delivered credentials_sms": 1, "other unknown": 100, "permanent-failure unknown": 1}
	if !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}
