package pipeline

import io.fabric8.kubernetes.client.utils.Serialization
import java.lang.reflect.Modifier
import org.csanchez.jenkins.plugins.kubernetes.*

/**
 * The pod the plugin makes: of a template and its parents one template, of its YAML and its fields one manifest, then
 * what an agent needs. Templates and manifests are plain maps here, so fields that nobody knows pass through.
 */
class AgentPod {
    static final String AGENT = 'jnlp'
    private static final String DIRECTORY = '/home/jenkins/agent'
    private static final String WORKSPACE = 'workspace-volume'
    private static final String SECRET = 'x' * 64
    private static final List<String> NOT_INHERITED = ['name', 'label', 'podRetention', 'terminationGracePeriodSeconds']
    /** Of two manifests the plugin takes the lower one and only this of the upper one; the rest of that is lost. */
    private static final List<String> CARRIED = [
        'nodeSelector', 'serviceAccount', 'serviceAccountName', 'schedulerName', 'activeDeadlineSeconds', 'hostNetwork',
        'shareProcessNamespace', 'volumes', 'tolerations', 'imagePullSecrets', 'containers', 'initContainers']

    private final KubernetesCloud cloud
    private final Map template
    private final String name
    private final List<Map> variables
    private final List<Map> mounts
    final Map<String, Object> manifest

    AgentPod(KubernetesCloud cloud, Map given, String name) {
        this.cloud = cloud
        this.name = name
        template = [yamls: [], volumes: [], envVars: [], containers: [], imagePullSecrets: [], annotations: []] + given
        variables = template.envVars.collect { variable(it) }
        mounts = template.volumes.withIndex().collect { volume, int i ->
            [name: "volume-$i".toString(), mountPath: new File(volume.mountPath).path,
             readOnly: volume.hostPath && volume.readOnly as boolean] + set(subPath: volume.subPath)
        }
        List<String> yamls = template.yamlMergeStrategy?.kind == 'Merge' ? template.yamls : template.yamls.takeRight(1)
        List<Map> pods = yamls.collect { Serialization.unmarshal(it, Map) ?: [:] } + fields()
        Map base = [apiVersion: 'v1', kind: 'Pod', metadata: [name: name], spec: [:]]
        manifest = pods.inject(base) { below, above -> merge(below, below.spec ? carried(above) : above) }
        manifest.metadata.namespace = manifest.metadata.namespace ?: template.namespace ?: cloud.namespace ?: 'default'
        Map spec = [restartPolicy: 'Never'] + manifest.spec
        manifest.spec = spec
        if (!spec.nodeSelector && !spec.runtimeClassName && !spec.affinity?.nodeAffinity) {
            spec.nodeSelector = ['kubernetes.io/os': 'linux']
        }
        completeAgent()
        spec.containers.each { mountWorkspace(it) }
        if (cloud.restrictedPssSecurityContext) {
            (spec.containers + (spec.initContainers ?: [])).each { restrict(it) }
        }
    }

    /** The template with all it inherits from parents: by name, the first one of a name, unknown names passed over. */
    static Map unwrap(PodTemplate template, List<PodTemplate> known, String defaults = null) {
        List<String> names = "${defaults ?: ''} ${template.inheritFrom ?: ''}".tokenize()
        List<PodTemplate> parents = names.collect { String parent -> known.find { it.name == parent } }.findAll()
        Map own = facts(template) - facts(new PodTemplate()) + set(
            labelsMap: template.labelsMap, showRawYaml: template.showRawYaml ? null : false,
            hostNetwork: template.hostNetworkSet ? template.hostNetwork : null)
        return (parents.collect { unwrap(it, known) } + own).inject { below, above ->
            List<String> kept = NOT_INHERITED + (below.inheritYamlMergeStrategy ? [] : ['yamlMergeStrategy'])
            merge(below - below.subMap(kept), above) + [yamls: (below.yamls ?: []) + (above.yamls ?: [])]
        }
    }

    /** What is set of an object of the plugin, and of those in it. */
    private static Object facts(Object given) {
        if (given?.class?.name?.startsWith('org.csanchez.')) {
            Map own = given.metaClass.properties.findAll { !Modifier.isStatic(it.modifiers) }
                .collectEntries { [(it.name): facts(it.getProperty(given))] }
            return own.findAll { it.value || it.value == 0 } + [kind: given.class.simpleName]
        }
        boolean data = [CharSequence, Number, Boolean, Map].any { it.isInstance(given) }
        return given instanceof Collection ? given.collect { facts(it) }.findAll() : data ? given : null
    }

    /** Key by key; in lists containers are merged and other things replaced, each by its mount path, key or name. */
    private static Object merge(Object below, Object above, boolean containers = false) {
        if (below instanceof Map && above instanceof Map) {
            return below + above.collectEntries { key, it -> [(key): merge(below[key], it, key.endsWith('ontainers'))] }
        }
        if (below instanceof List && above instanceof List && (below + above).every { it instanceof Map }) {
            return join(below, above) { a, b -> containers ? merge(a, b) : b }
        }
        return above == null || above == '' || above == [] ? below : above
    }

    private static List<Map> join(List<Map> below, List<Map> above, Closure both = { a, b -> b }) {
        return (below + above).groupBy { it.mountPath ?: it.name ?: it.kind ? it.key : it }.values()*.inject(both)
    }

    private static Map carried(Map pod) {
        Map user = (pod.spec?.securityContext ?: [:]).subMap('runAsUser', 'runAsGroup')
        return set(metadata: pod.metadata, spec: set((pod.spec ?: [:]).subMap(CARRIED) + [securityContext: user]))
    }

    /** Without what is not set. */
    private static Map set(Map all) { all.findAll { !(it.value in [null, '', [], [:]]) } }

    private Map fields() {
        Map security = set(runAsUser: template.runAsUser?.toLong(), runAsGroup: template.runAsGroup?.toLong(),
                           supplementalGroups: (template.supplementalGroups ?: '').tokenize(',')*.toLong())
        List<Map> volumes = template.volumes.withIndex().collect { volume, int i -> source("volume-$i", volume) }
        List<List<String>> selectors = (template.nodeSelector ?: '').split(',')*.split('=')*.toList()
        Map spec = set(
            serviceAccountName: template.serviceAccount, schedulerName: template.schedulerName,
            hostNetwork: template.hostNetwork, activeDeadlineSeconds: template.activeDeadlineSeconds,
            terminationGracePeriodSeconds: template.terminationGracePeriodSeconds, securityContext: security,
            nodeSelector: selectors.findAll { it.size() == 2 }.collectEntries(),
            imagePullSecrets: template.imagePullSecrets*.subMap('name'),
            volumes: volumes + source(WORKSPACE, template.workspaceVolume ?: [kind: 'EmptyDirWorkspaceVolume']),
            containers: template.containers.collect { container(it) })
        Map annotations = template.annotations.collectEntries { [(it.key): it.value] }
        return [metadata: set(labels: cloud.labels + template.labelsMap, annotations: annotations), spec: spec]
    }

    private Map container(Map from) {
        Map user = set(runAsUser: from.runAsUser?.toLong(), runAsGroup: from.runAsGroup?.toLong())
        Map probe = from.livenessProbe?.findAll { it.value instanceof Integer }
        Map resources = [requests: 'resourceRequest', limits: 'resourceLimit'].collectEntries { kind, property ->
            [(kind): set(cpu: from[property + 'Cpu'], memory: from[property + 'Memory'],
                         'ephemeral-storage': from[property + 'EphemeralStorage'])]
        }
        String args = from.args?.replace('${computer.jnlpmac}', SECRET)?.replace('${computer.name}', name)
        return set(
            name: from.name, image: from.image, imagePullPolicy: from.alwaysPullImage ? 'Always' : 'IfNotPresent',
            command: words(from.command), args: words(args), workingDir: from.workingDir, tty: from.ttyEnabled ?: false,
            env: join(variables, from.envVars.collect { variable(it) }), volumeMounts: mounts,
            ports: from.ports*.subMap('name', 'containerPort', 'hostPort'),
            livenessProbe: probe ? probe + [exec: [command: words(from.livenessProbe.execArgs)]] : null,
            securityContext: user || from.privileged ? user + [privileged: from.privileged ?: false] : null
        ) + [resources: set(resources)]
    }

    /** Blanks divide, double quotes hold together; nothing else is as in a shell. */
    private static List<String> words(String text) { (text ?: '').findAll(/[^"\s]\S*|".+?"/)*.replace('"', '') }

    private static Map variable(Map it) {
        Map source = [secretKeyRef: set(name: it.secretName, key: it.secretKey, optional: it.optional)]
        return [name: it.key] + (it.kind == 'SecretEnvVar' ? [valueFrom: source] : [value: it.value ?: ''])
    }

    private static Map source(String name, Map volume) {
        String kind = volume.kind - ~/(Workspace)?Volume$/
        Map sources = [
            Secret: [secret: volume.subMap('secretName', 'optional') + [defaultMode: volume.defaultMode?.toInteger()]],
            ConfigMap: [configMap: [name: volume.configMapName, optional: volume.optional]],
            EmptyDir: [emptyDir: [medium: volume.medium]], HostPath: [hostPath: [path: volume.hostPath]],
            Nfs: [nfs: [server: volume.serverAddress, path: volume.serverPath, readOnly: volume.readOnly]],
            PersistentVolumeClaim: [persistentVolumeClaim: volume.subMap('claimName', 'readOnly')]]
        if (!sources[kind]) {
            throw new UnsupportedOperationException("the runner does not play $volume.kind")
        }
        return [name: name] + sources[kind].collectEntries { [(it.key): set(it.value)] }
    }

    /** The fields' volumes are mounted in the fields' containers and in a default agent, not in the YAML's own. */
    private void completeAgent() {
        List<Map> containers = manifest.spec.containers = manifest.spec.containers ?: []
        if (!containers.any { it.name == AGENT }) {
            containers << [name: AGENT, volumeMounts: mounts]
        }
        Map agent = containers.find { it.name == AGENT }
        containers.findAll { agent.workingDir && !it.workingDir }.each { it.workingDir = agent.workingDir }
        String registry = cloud.jnlpregistry ? (cloud.jnlpregistry - ~'/$') + '/' : ''
        agent.image = agent.image ?: registry + 'jenkins/inbound-agent:4.3-4'
        agent.resources = agent.resources == null ? [requests: [cpu: '100m', memory: '256Mi']] : agent.resources
        Map own = set(
            JENKINS_SECRET: SECRET, JENKINS_NAME: name, JENKINS_AGENT_NAME: name, JENKINS_TUNNEL: cloud.jenkinsTunnel,
            JENKINS_AGENT_WORKDIR: agent.workingDir ?: DIRECTORY, JENKINS_WEB_SOCKET: cloud.webSocket ? 'true' : null,
            JENKINS_URL: ((cloud.jenkinsUrl ?: 'http://jenkins.invalid') - ~'/$') + '/')
        agent.env = join(own.collect { [name: it.key, value: it.value] } + variables, agent.env ?: [])
    }

    /** Where nothing else is mounted already. */
    private static void mountWorkspace(Map container) {
        Map own = [name: WORKSPACE, mountPath: container.workingDir ?: DIRECTORY, readOnly: false]
        container.volumeMounts = join([own], container.volumeMounts ?: [])
    }

    private static void restrict(Map container) {
        container.securityContext = [allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: [drop: ['ALL']],
                                     seccompProfile: [type: 'RuntimeDefault']] + (container.securityContext ?: [:])
    }
}
