// Volumes of a pod template. As in the plugin most of them are set by constructor and never change;
// they are compared by nothing but identity.
package org.csanchez.jenkins.plugins.kubernetes.volumes

import standin.Only

abstract class PodVolume implements Serializable {
    abstract String getMountPath()
}

class ConfigMapVolume extends PodVolume {
    @Only('4238')
    String subPath
    final String mountPath
    final String configMapName
    final Boolean optional

    ConfigMapVolume(String mountPath, String configMapName, Boolean optional) {
        this.mountPath = mountPath
        this.configMapName = configMapName
        this.optional = optional
    }
}

class EmptyDirVolume extends PodVolume {
    final String mountPath
    private Boolean memory

    EmptyDirVolume(String mountPath, Boolean memory) {
        this.mountPath = mountPath
        this.memory = memory
    }

    Boolean getMemory() { memory != null && memory }
    String getMedium() { getMemory() ? 'Memory' : '' }
}

class HostPathVolume extends PodVolume {
    final String mountPath
    final String hostPath
    @Only('4238')
    final Boolean readOnly

    @Only('1.29')
    HostPathVolume(String hostPath, String mountPath) {
        this.hostPath = hostPath
        this.mountPath = mountPath
    }

    @Only('4238')
    HostPathVolume(String hostPath, String mountPath, Boolean readOnly) {
        this.hostPath = hostPath
        this.mountPath = mountPath
        this.readOnly = readOnly
    }
}

class NfsVolume extends PodVolume {
    final String mountPath
    final String serverAddress
    final String serverPath
    final Boolean readOnly

    NfsVolume(String serverAddress, String serverPath, Boolean readOnly, String mountPath) {
        this.serverAddress = serverAddress
        this.serverPath = serverPath
        this.readOnly = readOnly
        this.mountPath = mountPath
    }
}

class PersistentVolumeClaim extends PodVolume {
    final String mountPath
    final String claimName
    final Boolean readOnly

    PersistentVolumeClaim(String mountPath, String claimName, Boolean readOnly) {
        this.mountPath = mountPath
        this.claimName = claimName
        this.readOnly = readOnly
    }
}

class SecretVolume extends PodVolume {
    final String mountPath
    final String secretName
    final String defaultMode
    final Boolean optional

    SecretVolume(String mountPath, String secretName, String defaultMode, Boolean optional) {
        this.mountPath = mountPath
        this.secretName = secretName
        this.defaultMode = defaultMode
        this.optional = optional
    }

    SecretVolume(String mountPath, String secretName) { this(mountPath, secretName, null, false) }
}

@Only('4238')
class DynamicPVCVolume extends PodVolume {
    String storageClassName
    String requestsSize
    String accessModes
    String mountPath
}

@Only('4238')
class GenericEphemeralVolume extends PodVolume {
    String storageClassName
    String requestsSize
    String accessModes
    String mountPath
}
