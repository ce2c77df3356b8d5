package pipeline

import io.fabric8.kubernetes.client.utils.Serialization
import org.csanchez.jenkins.plugins.kubernetes.ContainerTemplate
import org.csanchez.jenkins.plugins.kubernetes.KubernetesCloud
import org.csanchez.jenkins.plugins.kubernetes.PodTemplate
import org.csanchez.jenkins.plugins.kubernetes.model.SecretEnvVar
import org.csanchez.jenkins.plugins.kubernetes.model.TemplateEnvVar
import org.csanchez.jenkins.plugins.kubernetes.pod.yaml.Merge

/**
 * The pod the plugin makes of a template: its YAML, the template's fields over it, then the agent.
 *
 * Manifests are plain maps here, so a field of the YAML that nobody knows passes through as it does in the plugin.
 */
class AgentPod {
    static final String AGENT = 'jnlp'
    static final String DIRECTORY = '/home/jenkins/agent'
    private static final String AGENT_IMAGE = 'jenkins/inbound-agent:4.3-4'
    private static final String WORKSPACE_VOLUME = 'workspace-volume'

    private final KubernetesCloud cloud
    /** Parents first: what comes later wins. */
    private final List<PodTemplate> chain
    private final String name
    final Map<String, Object> manifest

    AgentPod(KubernetesCloud cloud, PodTemplate template, String name) {
        this.cloud = cloud
        this.name = name
        chain = parents(template) + template
        manifest = merge([apiVersion: 'v1', kind: 'Pod', metadata: [:], spec: [containers: []]], yaml())
        addMetadata()
        addContainers()
        addWorkspace()
        addSpec()
        manifest.spec.containers.sort { it.name }
    }

    private List<PodTemplate> parents(PodTemplate template) {
        List<String> names = (template.inheritFrom ?: cloud.defaultsProviderTemplate ?: '').tokenize()
        return names.collect { String parent -> cloud.templates.find { it.name == parent } }.findAll { it && it != template }
    }

    private Object last(String field) { chain.reverse().findResult { it[field] ?: null } }

    private List all(String field) { chain.collectMany { it[field] ?: [] } }

    private Map yaml() {
        List<Map> documents = chain.collect { it.yaml }.findAll().collect { Serialization.unmarshal((String) it, Map) }
        if (!documents) {
            return [:]
        }
        return chain.last().yamlMergeStrategy instanceof Merge ? documents.inject { a, b -> merge(a, b) } : documents.last()
    }

    /** Maps recursively, lists of named things by name, everything else replaced. */
    private static Object merge(Object below, Object above) {
        if (below instanceof Map && above instanceof Map) {
            Map merged = new LinkedHashMap(below)
            above.each { key, value -> merged[key] = merged.containsKey(key) ? merge(merged[key], value) : value }
            return merged
        }
        if (below instanceof List && above instanceof List && (below + above).every { it instanceof Map && it.name }) {
            Map byName = below.collectEntries { [(it.name): it] }
            above.each { byName[it.name] = byName[it.name] ? merge(byName[it.name], it) : it }
            return byName.values().toList()
        }
        return above == null ? below : above
    }

    private void addMetadata() {
        Map metadata = manifest.metadata
        metadata.name = name
        metadata.namespace = last('namespace') ?: metadata.namespace ?: cloud.namespace ?: 'default'
        metadata.labels = (metadata.labels ?: [:]) + cloud.labels + chain.last().labelsMap
        metadata.annotations = (metadata.annotations ?: [:]) + all('annotations').collectEntries { [(it.key): it.value] }
    }

    private void addSpec() {
        Map spec = manifest.spec
        Map selector = (last('nodeSelector') ?: '').split(',').findAll().collectEntries { it.split('=', 2).toList()*.trim() }
        spec.nodeSelector = ['kubernetes.io/os': 'linux'] + (spec.nodeSelector ?: [:]) + selector
        spec.restartPolicy = spec.restartPolicy ?: 'Never'
        spec.serviceAccountName = last('serviceAccount') ?: spec.serviceAccountName ?: spec.serviceAccount
        spec.activeDeadlineSeconds = last('activeDeadlineSeconds') ?: spec.activeDeadlineSeconds
        spec.terminationGracePeriodSeconds = last('terminationGracePeriodSeconds') ?: spec.terminationGracePeriodSeconds
        spec.hostNetwork = chain.any { it.hostNetwork } ?: spec.hostNetwork
        spec.imagePullSecrets = ((spec.imagePullSecrets ?: []) + all('imagePullSecrets').collect { [name: it.name] }).unique()
        spec.keySet().removeAll { spec[it] == null || spec[it] == [] }
    }

    private void addContainers() {
        List<Map> fromFields = all('containers').collect { ContainerTemplate it -> container(it) }
        if (!(manifest.spec.containers + fromFields).any { it.name == AGENT }) {
            fromFields << [name: AGENT, volumeMounts: templateMounts()]
        }
        manifest.spec.containers = merge(manifest.spec.containers, fromFields)
        manifest.spec.volumes = (manifest.spec.volumes ?: []) + templateVolumes()
        Map agent = manifest.spec.containers.find { it.name == AGENT }
        agent.image = agent.image ?: AGENT_IMAGE
        agent.workingDir = agent.workingDir ?: DIRECTORY
        agent.resources = agent.resources ?: [requests: [cpu: '100m', memory: '256Mi']]
        agent.env = merge(agent.env ?: [], agentEnvironment(agent.workingDir))
    }

    private List<Map> agentEnvironment(String directory) {
        Map variables = [JENKINS_SECRET: 'x' * 64, JENKINS_NAME: name, JENKINS_AGENT_NAME: name,
                         JENKINS_AGENT_WORKDIR: directory, JENKINS_URL: cloud.jenkinsUrl ?: 'http://jenkins.invalid/']
        return variables.collect { [name: it.key, value: it.value] }
    }

    private Map container(ContainerTemplate template) {
        Map container = [name: template.name, image: template.image, workingDir: template.workingDir ?: DIRECTORY,
                         tty: template.ttyEnabled, command: words(template.command), args: words(template.args),
                         env: (all('envVars') + template.envVars).collect { TemplateEnvVar it -> variable(it) },
                         volumeMounts: templateMounts(), resources: resources(template),
                         imagePullPolicy: template.alwaysPullImage ? 'Always' : 'IfNotPresent']
        if (template.privileged) {
            container.securityContext = [privileged: true]
        }
        return container.findAll { it.value != null && it.value != [] && it.value != [:] }
    }

    private static List<String> words(String text) {
        return text ? (text =~ /"[^"]*"|\S+/).collect { it.toString().replace('"', '') } : null
    }

    private static Map resources(ContainerTemplate t) {
        Map requests = [cpu: t.resourceRequestCpu, memory: t.resourceRequestMemory,
                        'ephemeral-storage': t.resourceRequestEphemeralStorage].findAll { it.value }
        Map limits = [cpu: t.resourceLimitCpu, memory: t.resourceLimitMemory,
                      'ephemeral-storage': t.resourceLimitEphemeralStorage].findAll { it.value }
        return [requests: requests, limits: limits].findAll { it.value }
    }

    private static Map variable(TemplateEnvVar variable) {
        if (variable instanceof SecretEnvVar) {
            Map key = [name: variable.secretName, key: variable.secretKey, optional: variable.optional]
            return [name: variable.key, valueFrom: [secretKeyRef: key.findAll { it.value != null }]]
        }
        return [name: variable.key, value: variable.value ?: '']
    }

    /** The template's own volumes reach its own containers and a default agent, not those of the YAML. */
    private List<Map> templateMounts() {
        List<Map> mounts = []
        all('volumes').eachWithIndex { volume, int i -> mounts << [name: "volume-$i".toString(), mountPath: volume.mountPath] }
        return mounts
    }

    private List<Map> templateVolumes() {
        List<Map> volumes = []
        all('volumes').eachWithIndex { volume, int i -> volumes << [name: "volume-$i".toString()] + source(volume) }
        return volumes
    }

    private static Map source(Object volume) {
        switch (volume.class.simpleName) {
            case 'SecretVolume': return [secret: [secretName: volume.secretName, optional: volume.optional]]
            case 'ConfigMapVolume': return [configMap: [name: volume.configMapName, optional: volume.optional]]
            case ~/EmptyDir.*/: return [emptyDir: volume.memory ? [medium: 'Memory'] : [:]]
            case ~/HostPath.*/: return [hostPath: [path: volume.hostPath]]
            case ~/PersistentVolumeClaim.*/: return [persistentVolumeClaim: [claimName: volume.claimName]]
            default: throw new UnsupportedOperationException("${volume.class.simpleName} is not known to this runner")
        }
    }

    private void addWorkspace() {
        manifest.spec.volumes << [name: WORKSPACE_VOLUME] + source(chain.last().workspaceVolume)
        manifest.spec.containers.each { Map container ->
            String path = container.workingDir ?: DIRECTORY
            List<Map> mounts = container.volumeMounts ?: []
            if (!mounts.any { it.mountPath == path }) {
                container.volumeMounts = mounts + [[name: WORKSPACE_VOLUME, mountPath: path, readOnly: false]]
            }
        }
    }
}
