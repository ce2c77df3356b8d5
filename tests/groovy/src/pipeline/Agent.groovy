package pipeline

import groovy.json.*
import hudson.AbortException
import hudson.model.Label
import hudson.model.Node
import io.fabric8.kubernetes.api.model.ContainerStatus
import io.fabric8.kubernetes.api.model.Event
import io.fabric8.kubernetes.api.model.Pod
import io.fabric8.kubernetes.client.utils.Serialization
import jenkins.model.Jenkins
import org.csanchez.jenkins.plugins.kubernetes.*

/**
 * One agent: its pod on the cluster and HOME/nodes/NAME, which other runner processes read as well. Beside the node's
 * config.xml are `busy` while a build holds it and agent.json: what it was made of, in which session of the controller
 * (as long as that lasts the plugin keeps the template), and when it was last used.
 */
class Agent {
    private static final List<String> PULL_FAILURES = ['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName']

    final String name
    /** What processes in the agent's own container have anyway. */
    Map<String, String> processEnvironment = [:]
    private final Build build
    private final KubernetesSlave node
    private final Map state
    private List<String> containers

    /** An agent that is there. */
    Agent(Build build, KubernetesSlave node) {
        this.build = build
        this.node = node
        name = node.nodeName
        state = (Map) new JsonSlurper().parse(file('agent.json'))
    }

    /** A new one of a template (with all it inherits); no pod yet. */
    Agent(Build build, KubernetesCloud cloud, PodTemplate from, Map template) {
        this.build = build
        name = "${(from.name ?: 'jenkins-agent').replaceAll('[ _]', '-').toLowerCase().take(57)}-${suffix()}"
        node = new KubernetesSlave(name, from, from.name, cloud.name, from.label)
        state = [session: session, template: template, manifest: new AgentPod(cloud, template, name).manifest]
        file('.').mkdirs()
        file('busy').createNewFile()
        save()
        Jenkins.get().addNode(node)
    }

    static String suffix() {
        Random random = new Random()
        return (1..5).collect { 'bcdfghjklmnpqrstvwxz0123456789'[random.nextInt(30)] }.join()
    }

    /** An idle agent for the label, now busy. A controller ends expired and dead ones by itself; here a look does. */
    static Agent idle(Build build, Label label) {
        List<Node> nodes = Jenkins.get().nodes.findAll { it instanceof KubernetesSlave && it.toComputer().idle }
        return nodes.collect { new Agent(build, it) }.findAll { it.lives() }.find {
            (label ? label.matches(it.node.assignedLabels) : it.node.mode == Node.Mode.NORMAL) &&
                it.file('busy').createNewFile()
        }
    }

    private File file(String part) { new File(Jenkins.get().rootDir, "nodes/$name/$part") }
    private void save() { file('agent.json').setText(JsonOutput.toJson(state), 'UTF-8') }

    /** After a restart of the controller the template is looked up by its id; without one nothing is launched. */
    private boolean lives() {
        if (session && session != state.session) {
            try {
                node.template
            } catch (IllegalStateException gone) {
                build.log.line(gone)
                state.template = [:]
            }
            state.session = session
            save()
        }
        long end = state.lastUse + (state.template.idleMinutes ?: 0) * 60_000L
        boolean over = System.currentTimeMillis() > end || failure()
        if (over) {
            terminate()
        }
        return !over
    }

    /** Of the controller that runs on this home; null as long as none has written it. */
    private static String getSession() { new File(Jenkins.get().rootDir, 'session').with { it.file ? it.text : null } }

    String getNamespace() { state.manifest.metadata.namespace }
    boolean has(String container) { container in containers }
    String getWorkspace() { "$node.remoteFS/workspace/$build.options.job" }

    Map<String, String> variables(Context context) {
        List<String> labels = [name] + node.labelString.tokenize()
        Map<String, String> variables = [NODE_NAME: name, EXECUTOR_NUMBER: '0', WORKSPACE: workspace,
            NODE_LABELS: (build.options.plugin == '1.29' ? labels.reverse() : labels).join(' '),
            WORKSPACE_TMP: "$workspace@tmp".toString()]
        return context.container ? variables + [POD_CONTAINER: context.container] : variables
    }

    /** Creates the pod of a new agent and waits until all its containers run; throws when they will not. */
    void start(Branch branch) {
        if (!state.lastUse) {
            build.cluster.create(state.manifest)
            build.log.line("Created Pod: $node.cloudName $namespace/$name")
        }
        int timeout = state.template.slaveConnectTimeout ?: PodTemplate.DEFAULT_SLAVE_JENKINS_CONNECTION_TIMEOUT
        long end = System.currentTimeMillis() + timeout * 1000L
        Set<String> seen = []
        while (!running(seen)) {
            if (System.currentTimeMillis() > end) {
                String phase = build.cluster.pod(namespace, name)?.status?.phase
                throw new AbortException("Agent is not connected after $timeout seconds, status: $phase")
            }
            branch.pause(200)
        }
        build.log.line("Agent $name is provisioned from template ${state.template.name ?: state.template.id}")
        if (state.template.showRawYaml != false) {
            build.log.line(Serialization.asYaml(state.manifest).trim())
        }
        String found = new String(build.cluster.run(this, 'mkdir -p "$1" && cd "$1" && env -0', [workspace]), 'UTF-8')
        processEnvironment = found.tokenize('\0').collectEntries { it.split('=', 2).toList() }
    }

    /** Prints what happened to the pod; throws when it cannot come up any more. */
    private boolean running(Set<String> seen) {
        List<Event> events = state.lastUse ? [] : build.cluster.events(namespace, name)
        events.findAll { seen.add("$it.metadata.uid/$it.reason") }.each {
            build.log.line("[$it.type][$namespace/$name][$it.reason] $it.message")
        }
        Pod pod = build.cluster.pod(namespace, name)
        String ended = failure(pod)
        if (ended && (!pod || pod.metadata.deletionTimestamp)) {
            throw new AbortException(ended)
        }
        ContainerStatus unpulled = pod?.status?.containerStatuses?.find { it.state.waiting?.reason in PULL_FAILURES }
        if (ended || unpulled) {
            throw new AgentEnded(ended ?: "Unable to pull Docker image \"$unpulled.image\". " +
                'Check if image tag name is spelled correctly.')
        }
        containers = pod.spec.containers*.name
        return pod.status.containerStatuses && pod.status.containerStatuses.every { it.state.running }
    }

    /** Why the pod cannot serve any more, or null. */
    String failure(Pod pod = build.cluster.pod(namespace, name)) {
        if (!pod || pod.metadata.deletionTimestamp) {
            return "Pod $namespace/$name was deleted"
        }
        ContainerStatus ended = pod.status.containerStatuses.find { it.state.terminated }
        if (ended) {
            return "$namespace/$name Container $ended.name was terminated (Exit Code: " +
                "$ended.state.terminated.exitCode, Reason: $ended.state.terminated.reason)"
        }
        return pod.status.phase == 'Failed' ? "$namespace/$name Pod just failed (Reason: $pod.status.reason, " +
            "Message: $pod.status.message)" : null
    }

    /** After a build: with idle minutes it waits for the next one. */
    void release() {
        if (!state.template.idleMinutes || failure()) {
            terminate()
        } else {
            state.lastUse = System.currentTimeMillis()
            save()
            file('busy').delete()
        }
    }

    /** The node goes in any case; the pod as the template's retention, or else the cloud's, has it. */
    void terminate() {
        String retention = state.template.podRetention?.kind ?: node.kubernetesCloud?.podRetention?.class?.simpleName
        String phase = build.cluster.pod(namespace, name)?.status?.phase
        if (retention != 'Always' && !(retention == 'OnFailure' && phase in ['Failed', 'Unknown'])) {
            build.cluster.delete(namespace, name)
        }
        Jenkins.get().removeNode(node)
    }
}

/** An agent that cannot come up, nor can another one of its template. */
@groovy.transform.InheritConstructors class AgentEnded extends AbortException { }
