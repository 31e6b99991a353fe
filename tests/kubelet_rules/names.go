// The names that this version of the kubelet knows, in the form of gedge_provision/data/kubelet.json.
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/featuregate"
	kubeletconfigv1beta1 "k8s.io/kubelet/config/v1beta1"
)

type gate struct {
	Default bool     `json:"default"`
	Locked  bool     `json:"locked,omitempty"`
	Stage   string   `json:"stage,omitempty"` // of those that AllAlpha and AllBeta switch
	Needs   []string `json:"needs,omitempty"`
}

func printNames() {
	gates := map[string]gate{}
	needs := utilfeature.DefaultMutableFeatureGate.Dependencies()
	for name, spec := range utilfeature.DefaultMutableFeatureGate.GetAll() {
		known := gate{Default: spec.Default, Locked: spec.LockToDefault}
		if spec.PreRelease == featuregate.Alpha || spec.PreRelease == featuregate.Beta {
			known.Stage = string(spec.PreRelease)
		}
		for _, other := range needs[name] {
			known.Needs = append(known.Needs, string(other))
		}
		slices.Sort(known.Needs)
		gates[string(name)] = known
	}
	known := map[string]any{
		"fields": fieldsOf(reflect.TypeOf(kubeletconfigv1beta1.KubeletConfiguration{})),
		"gates":  gates,
	}
	if err := json.NewEncoder(os.Stdout).Encode(known); err != nil {
		os.Exit(1)
	}
}

// fieldsOf gives the kind of each field of a struct by its name in JSON, those of inlined structs among them.
func fieldsOf(kind reflect.Type) map[string]any {
	fields := map[string]any{}
	for i := range kind.NumField() {
		field := kind.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Type == reflect.TypeOf(metav1.TypeMeta{}) || name == "-":
		case name == "" && (field.Anonymous || options == "inline"):
			for inner, kind := range fieldsOf(field.Type) {
				fields[inner] = kind
			}
		default:
			fields[name] = kindOf(field.Type)
		}
	}
	return fields
}

func kindOf(kind reflect.Type) any {
	switch kind {
	case reflect.TypeOf(metav1.Duration{}):
		return "duration"
	case reflect.TypeOf(metav1.Time{}):
		return "text"
	case reflect.TypeOf(resource.Quantity{}), reflect.TypeOf(resource.QuantityValue{}):
		return "quantity"
	}
	if kind.Kind() == reflect.Pointer {
		return kindOf(kind.Elem())
	}
	if reflect.PointerTo(kind).Implements(reflect.TypeOf((*json.Unmarshaler)(nil)).Elem()) {
		return "any"
	}
	switch kind.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.String:
		return "text"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "integer"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Slice:
		return map[string]any{"[]": kindOf(kind.Elem())}
	case reflect.Map:
		return map[string]any{"*": kindOf(kind.Elem())}
	case reflect.Struct:
		return fieldsOf(kind)
	}
	return "any"
}
