// Volumes of a pod template. As in the plugin most never change, and only identity compares them.
package org.csanchez.jenkins.plugins.kubernetes.volumes

abstract class PodVolume implements Serializable { abstract String getMountPath() }
class ConfigMapVolume extends PodVolume {
    @Only('4238') String subPath
    @DataBound ConfigMapVolume(final String mountPath, final String configMapName, final Boolean optional) { }
}
class EmptyDirVolume extends PodVolume {
    @DataBound EmptyDirVolume(final String mountPath, final Boolean memory) { }
    Boolean getMemory() { memory ?: false }
    String getMedium() { getMemory() ? 'Memory' : '' }
}
class HostPathVolume extends PodVolume {
    final String mountPath
    @Only('1.29') @DataBound HostPathVolume(final String hostPath, String mountPath) { }
    @Only('4238') @DataBound HostPathVolume(final String hostPath, String mountPath, final Boolean readOnly) { }
}
class NfsVolume extends PodVolume {
    final String mountPath, serverAddress, serverPath
    @DataBound NfsVolume(String serverAddress, String serverPath, final Boolean readOnly, String mountPath) { }
}
class PersistentVolumeClaim extends PodVolume {
    @DataBound PersistentVolumeClaim(final String mountPath, final String claimName, final Boolean readOnly) { }
}
class SecretVolume extends PodVolume {
    final String mountPath, secretName, defaultMode
    @DataBound SecretVolume(String mountPath, String secretName, String defaultMode, final Boolean optional) { }
    SecretVolume(String mountPath, String secretName) { this(mountPath, secretName, null, false) }
}
@Only('4238') class DynamicPVCVolume extends PodVolume { String storageClassName, requestsSize, accessModes, mountPath }
@Only('4238') class GenericEphemeralVolume extends PodVolume {
    String storageClassName, requestsSize, accessModes, mountPath
}
