// The volume that holds an agent's workspace.
package org.csanchez.jenkins.plugins.kubernetes.volumes.workspace

import groovy.transform.EqualsAndHashCode
import standin.Only

abstract class WorkspaceVolume implements Serializable {
    static WorkspaceVolume getDefault() { new EmptyDirWorkspaceVolume(false) }
}

@EqualsAndHashCode(includeFields = true)
class EmptyDirWorkspaceVolume extends WorkspaceVolume {
    private Boolean memory

    EmptyDirWorkspaceVolume(Boolean memory) { this.memory = memory }
    Boolean getMemory() { memory != null && memory }
    String getMedium() { getMemory() ? 'Memory' : '' }
    @Override String toString() { "EmptyDirWorkspaceVolume [memory=$memory]" }
}

@EqualsAndHashCode
class HostPathWorkspaceVolume extends WorkspaceVolume {
    final String hostPath

    HostPathWorkspaceVolume(String hostPath) { this.hostPath = hostPath }
}

@EqualsAndHashCode
class NfsWorkspaceVolume extends WorkspaceVolume {
    final String serverAddress
    final String serverPath
    final Boolean readOnly

    NfsWorkspaceVolume(String serverAddress, String serverPath, Boolean readOnly) {
        this.serverAddress = serverAddress
        this.serverPath = serverPath
        this.readOnly = readOnly
    }
}

@EqualsAndHashCode
class PersistentVolumeClaimWorkspaceVolume extends WorkspaceVolume {
    final String claimName
    final Boolean readOnly

    PersistentVolumeClaimWorkspaceVolume(String claimName, Boolean readOnly) {
        this.claimName = claimName
        this.readOnly = readOnly
    }
}

@EqualsAndHashCode
class DynamicPVCWorkspaceVolume extends WorkspaceVolume {
    String storageClassName
    String requestsSize
    String accessModes

    DynamicPVCWorkspaceVolume() { }

    @Only('1.29')
    DynamicPVCWorkspaceVolume(String storageClassName, String requestsSize, String accessModes) {
        this.storageClassName = storageClassName
        this.requestsSize = requestsSize
        this.accessModes = accessModes
    }
}

@EqualsAndHashCode
@Only('4238')
class GenericEphemeralWorkspaceVolume extends WorkspaceVolume {
    String storageClassName
    String requestsSize
    String accessModes
}
