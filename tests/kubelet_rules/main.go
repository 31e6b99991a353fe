// The kubelet's own code as judge of configurations: for each machine and KubeletConfiguration on standard input, does a
// kubelet of this version validate it, and do its topology, CPU and memory managers start on such a machine? With the
// argument `admit`: which of these pods, one after the other, does it admit there (admission.go)?
//
// The steps are those of cmd/kubelet/app/server.go (run) and pkg/kubelet/cm/container_manager_linux.go
// (NewContainerManager), with the machine that cAdvisor would find given as data.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"
	cadvisorapi "github.com/google/cadvisor/info/v1"
	v1 "k8s.io/api/core/v1"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/klog/v2"
	_ "k8s.io/kubernetes/pkg/features"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
	kubeletscheme "k8s.io/kubernetes/pkg/kubelet/apis/config/scheme"
	"k8s.io/kubernetes/pkg/kubelet/apis/config/validation"
	"k8s.io/kubernetes/pkg/kubelet/cm/containermap"
	"k8s.io/kubernetes/pkg/kubelet/cm/cpumanager"
	"k8s.io/kubernetes/pkg/kubelet/cm/memorymanager"
	"k8s.io/kubernetes/pkg/kubelet/cm/topologymanager"
	"k8s.io/kubernetes/pkg/kubelet/kubeletconfig/util/codec"
	"k8s.io/utils/cpuset"
)

type question struct {
	Name          string                  `json:"name"`
	Machine       cadvisorapi.MachineInfo `json:"machine"`
	Configuration json.RawMessage         `json:"configuration"`
}

type answer struct {
	Name string `json:"name"`
	// Error is empty when the kubelet would start.
	Error string `json:"error"`
	// Allocatable are the CPUs that pods may own, as a list.
	Allocatable string `json:"allocatable"`
}

type sourcesReady struct{}

func (sourcesReady) AddSource(string) {}
func (sourcesReady) AllReady() bool   { return true }

func main() {
	if len(os.Args) > 1 && os.Args[1] == "names" {
		printNames()
		return
	}
	klog.SetLogger(logr.Discard())
	if len(os.Args) > 1 && os.Args[1] == "admit" {
		answerEach(func(asked admission) any { return admit(asked) })
		return
	}
	answerEach(func(asked question) any {
		allocatable, err := judge(asked)
		given := answer{Name: asked.Name, Allocatable: allocatable}
		if err != nil {
			given.Error = err.Error()
		}
		return given
	})
}

func answerEach[Q any](answerOne func(Q) any) {
	var questions []Q
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	answers := []any{}
	for _, asked := range questions {
		answers = append(answers, answerOne(asked))
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		os.Exit(1)
	}
}

// A kubelet has these gates too (cmd/kubelet/app/server.go, init).
func init() {
	if err := logsapi.AddFeatureGates(utilfeature.DefaultMutableFeatureGate); err != nil {
		panic(err)
	}
}

// resetGates puts the gates of this process back: the managers ask those, not a copy.
func resetGates() {
	for name := range utilfeature.DefaultMutableFeatureGate.GetAll() {
		if err := utilfeature.DefaultMutableFeatureGate.ResetFeatureValueToDefault(name); err != nil {
			panic(err)
		}
	}
}

func judge(asked question) (allocatable string, err error) {
	defer func() { // unknown feature gates make a kubelet panic when it fills in defaults
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
	err = withManagers(asked, func(_ context.Context, started *managers, _ string) error {
		allocatable = started.cpus.GetAllocatableCPUs().String()
		return nil
	})
	return allocatable, err
}

// withManagers does what a kubelet does with its configuration, and calls back once its managers have started.
func withManagers(asked question, callback func(context.Context, *managers, string) error) error {
	ctx, end := context.WithCancel(context.Background())
	defer end()
	_, codecs, err := kubeletscheme.NewSchemeAndCodecs()
	if err != nil {
		return err
	}
	config, err := codec.DecodeKubeletConfiguration(ctx, codecs, asked.Configuration)
	if err != nil {
		return err
	}
	defer resetGates()
	gates := utilfeature.DefaultMutableFeatureGate
	if err := gates.SetFromMap(config.FeatureGates); err != nil {
		return err
	}
	if err := validation.ValidateKubeletConfiguration(config, gates); err != nil {
		return err
	}
	reserved, err := reservedCPUs(config, &asked.Machine)
	if err != nil {
		return err
	}
	reservation, err := nodeReservation(config, &asked.Machine)
	if err != nil {
		return err
	}
	// A kubelet looks at this last, when it starts its container manager.
	if err := fitsCapacity(reservation, &asked.Machine); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "kubelet-rules-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	started, err := start(ctx, config, &asked.Machine, reserved, reservation, folder)
	if err != nil {
		return err
	}
	return callback(ctx, started, folder)
}

// managers are those that decide over pods, in the order in which a kubelet asks them: devices, CPUs, memory.
type managers struct {
	pods     *podList
	topology topologymanager.Manager
	cpus     cpumanager.Manager
	memory   memorymanager.Manager
}

func start(ctx context.Context, config *kubeletconfig.KubeletConfiguration, machine *cadvisorapi.MachineInfo,
	reserved cpuset.CPUSet, reservation v1.ResourceList, folder string) (*managers, error) {
	logger := klog.FromContext(ctx)
	started := &managers{pods: &podList{}}
	var err error
	started.topology, err = topologymanager.NewManager(
		machine.Topology, config.TopologyManagerPolicy, config.TopologyManagerScope, config.TopologyManagerPolicyOptions)
	if err != nil {
		return nil, err
	}
	started.cpus, err = cpumanager.NewManager(logger, config.CPUManagerPolicy, config.CPUManagerPolicyOptions, time.Hour,
		machine, reserved, reservation, folder, started.topology)
	if err != nil {
		return nil, err
	}
	if err := started.cpus.Start(ctx, started.pods.all, sourcesReady{}, statuses{}, nil, containermap.NewContainerMap()); err != nil {
		return nil, err
	}
	started.memory, err = memorymanager.NewManager(
		logger, config.MemoryManagerPolicy, machine, reservation, config.ReservedMemory, folder, started.topology)
	if err != nil {
		return nil, err
	}
	if err := started.memory.Start(ctx, started.pods.all, sourcesReady{}, nil, nil, containermap.NewContainerMap()); err != nil {
		return nil, err
	}
	return started, nil
}
