// SPDX-License-Identifier: Apache-2.0
// Copyright The hiwari authors

// crds.go - the kinds that are not Kubernetes' own: disk snapshots, Kueue, KEDA. Their projects' types are not packaged for
// Debian, so these say by hand which fields there are: those that our manifests use, no more. A field that is missing here
// and exists there is an error in a test; a field that exists here and not there would be our mistake.
package main

import (
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

type head struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata,omitempty"`
}

// ---- snapshot.storage.k8s.io/v1 ----

type VolumeSnapshot struct {
	head `json:",inline"`
	Spec struct {
		VolumeSnapshotClassName string `json:"volumeSnapshotClassName,omitempty"`
		Source                  struct {
			PersistentVolumeClaimName string `json:"persistentVolumeClaimName,omitempty"`
		} `json:"source"`
	} `json:"spec"`
}

type VolumeSnapshotClass struct {
	head           `json:",inline"`
	Driver         string            `json:"driver"`
	DeletionPolicy string            `json:"deletionPolicy"`
	Parameters     map[string]string `json:"parameters,omitempty"`
}

// ---- kueue.x-k8s.io/v1beta1 ----

type ResourceFlavor struct {
	head `json:",inline"`
	Spec struct {
		NodeLabels  map[string]string `json:"nodeLabels,omitempty"`
		NodeTaints  []core.Taint      `json:"nodeTaints,omitempty"`
		Tolerations []core.Toleration `json:"tolerations,omitempty"`
	} `json:"spec,omitempty"`
}

type ClusterQueue struct {
	head `json:",inline"`
	Spec struct {
		NamespaceSelector *meta.LabelSelector `json:"namespaceSelector,omitempty"`
		QueueingStrategy  string              `json:"queueingStrategy,omitempty"`
		Preemption        struct {
			WithinClusterQueue  string `json:"withinClusterQueue,omitempty"`
			ReclaimWithinCohort string `json:"reclaimWithinCohort,omitempty"`
		} `json:"preemption,omitempty"`
		ResourceGroups []struct {
			CoveredResources []core.ResourceName `json:"coveredResources"`
			Flavors          []struct {
				Name      string `json:"name"`
				Resources []struct {
					Name         core.ResourceName `json:"name"`
					NominalQuota resource.Quantity `json:"nominalQuota"`
				} `json:"resources"`
			} `json:"flavors"`
		} `json:"resourceGroups,omitempty"`
	} `json:"spec,omitempty"`
}

type LocalQueue struct {
	head `json:",inline"`
	Spec struct {
		ClusterQueue string `json:"clusterQueue,omitempty"`
	} `json:"spec,omitempty"`
}

// ---- keda.sh/v1alpha1 ----

type TriggerAuthentication struct {
	head `json:",inline"`
	Spec struct {
		SecretTargetRef []struct {
			Parameter string `json:"parameter"`
			Name      string `json:"name"`
			Key       string `json:"key"`
		} `json:"secretTargetRef,omitempty"`
	} `json:"spec"`
}

type ScaledJob struct {
	head `json:",inline"`
	Spec struct {
		JobTargetRef               *batch.JobSpec `json:"jobTargetRef"`
		PollingInterval            *int32         `json:"pollingInterval,omitempty"`
		MinReplicaCount            *int32         `json:"minReplicaCount,omitempty"`
		MaxReplicaCount            *int32         `json:"maxReplicaCount,omitempty"`
		SuccessfulJobsHistoryLimit *int32         `json:"successfulJobsHistoryLimit,omitempty"`
		FailedJobsHistoryLimit     *int32         `json:"failedJobsHistoryLimit,omitempty"`
		ScalingStrategy            struct {
			Strategy                   string   `json:"strategy,omitempty"`
			MultipleScalersCalculation string   `json:"multipleScalersCalculation,omitempty"`
			PendingPodConditions       []string `json:"pendingPodConditions,omitempty"`
		} `json:"scalingStrategy,omitempty"`
		Triggers []struct {
			Type              string            `json:"type"`
			Name              string            `json:"name,omitempty"`
			Metadata          map[string]string `json:"metadata"`
			AuthenticationRef *struct {
				Name string `json:"name"`
			} `json:"authenticationRef,omitempty"`
		} `json:"triggers"`
	} `json:"spec"`
}

func addOthers(scheme *runtime.Scheme) error {
	for group, kinds := range map[schema.GroupVersion][]runtime.Object{
		{Group: "snapshot.storage.k8s.io", Version: "v1"}: {&VolumeSnapshot{}, &VolumeSnapshotClass{}},
		{Group: "kueue.x-k8s.io", Version: "v1beta1"}:     {&ResourceFlavor{}, &ClusterQueue{}, &LocalQueue{}},
		{Group: "keda.sh", Version: "v1alpha1"}:           {&TriggerAuthentication{}, &ScaledJob{}},
	} {
		scheme.AddKnownTypes(group, kinds...)
	}
	return nil
}

// What the decoder asks of a kind; nothing here copies one.
func (o *VolumeSnapshot) DeepCopyObject() runtime.Object        { panic("not copied") }
func (o *VolumeSnapshotClass) DeepCopyObject() runtime.Object   { panic("not copied") }
func (o *ResourceFlavor) DeepCopyObject() runtime.Object        { panic("not copied") }
func (o *ClusterQueue) DeepCopyObject() runtime.Object          { panic("not copied") }
func (o *LocalQueue) DeepCopyObject() runtime.Object            { panic("not copied") }
func (o *TriggerAuthentication) DeepCopyObject() runtime.Object { panic("not copied") }
func (o *ScaledJob) DeepCopyObject() runtime.Object             { panic("not copied") }
