// The volume that holds an agent's workspace.
package org.csanchez.jenkins.plugins.kubernetes.volumes.workspace

abstract class WorkspaceVolume implements Serializable {
    static WorkspaceVolume getDefault() { new EmptyDirWorkspaceVolume(false) }
}
@EqualsAndHashCode class EmptyDirWorkspaceVolume extends WorkspaceVolume {
    @DataBound EmptyDirWorkspaceVolume(final Boolean memory) { }
    Boolean getMemory() { memory ?: false }
    String getMedium() { getMemory() ? 'Memory' : '' }
    @Override String toString() { "EmptyDirWorkspaceVolume [memory=$memory]" }
}
@EqualsAndHashCode class HostPathWorkspaceVolume extends WorkspaceVolume {
    @DataBound HostPathWorkspaceVolume(final String hostPath) { }
}
@EqualsAndHashCode class NfsWorkspaceVolume extends WorkspaceVolume {
    final String serverAddress, serverPath
    @DataBound NfsWorkspaceVolume(String serverAddress, String serverPath, final Boolean readOnly) { }
}
@EqualsAndHashCode class PersistentVolumeClaimWorkspaceVolume extends WorkspaceVolume {
    @DataBound PersistentVolumeClaimWorkspaceVolume(final String claimName, final Boolean readOnly) { }
}
@EqualsAndHashCode class DynamicPVCWorkspaceVolume extends WorkspaceVolume {
    String storageClassName, requestsSize, accessModes
    DynamicPVCWorkspaceVolume() { }
    @Only('1.29') DynamicPVCWorkspaceVolume(String storageClassName, String requestsSize, String accessModes) {
        this.storageClassName = storageClassName
        this.requestsSize = requestsSize
        this.accessModes = accessModes
    }
    @Only('1.29') String getStorageClassNameOrDefault() { storageClassName ?: null }
    @Only('1.29') String getRequestsSizeOrDefault() { requestsSize ?: '10Gi' }
    @Only('1.29') String getAccessModesOrDefault() { accessModes ?: 'ReadWriteOnce' }
}
@Only('4238') @EqualsAndHashCode class GenericEphemeralWorkspaceVolume extends WorkspaceVolume {
    String storageClassName, requestsSize, accessModes
}
