package pipeline

import hudson.AbortException
import io.fabric8.kubernetes.api.model.ContainerStatus
import io.fabric8.kubernetes.api.model.Pod
import io.fabric8.kubernetes.client.utils.Serialization
import jenkins.model.Jenkins
import org.csanchez.jenkins.plugins.kubernetes.KubernetesCloud
import org.csanchez.jenkins.plugins.kubernetes.KubernetesSlave
import org.csanchez.jenkins.plugins.kubernetes.PodTemplate

/** One agent: its pod on the cluster and its entry among the controller's nodes, both gone after `terminate`. */
class Agent {
    private static final List<String> PULL_FAILURES = ['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName']

    final String name
    final String namespace
    /** What processes in the agent's own container have anyway. */
    Map<String, String> processEnvironment = [:]
    private final Build build
    private final Cluster cluster
    private final PodTemplate template
    private final AgentPod pod
    private final KubernetesSlave node
    private final Set<String> seenEvents = []

    Agent(Build build, Cluster cluster, KubernetesCloud cloud, PodTemplate template) {
        this.build = build
        this.cluster = cluster
        this.template = template
        name = "${template.name ?: 'agent'}-${suffix()}"
        pod = new AgentPod(cloud, template, name)
        namespace = pod.manifest.metadata.namespace
        node = new KubernetesSlave(name, template, '', cloud.name, template.label)
    }

    static String suffix() {
        Random random = new Random()
        return (1..5).collect { '0123456789bcdfghjklmnpqrstvwxz'[random.nextInt(30)] }.join()
    }

    boolean has(String container) { pod.manifest.spec.containers.any { it.name == container } }

    String getWorkspace() { "$directory/workspace/$build.options.job" }

    private String getDirectory() { pod.manifest.spec.containers.find { it.name == AgentPod.AGENT }.workingDir }

    Map<String, String> variables(Context context) {
        Map<String, String> variables = [NODE_NAME: name, NODE_LABELS: ([name] + template.label.tokenize()).join(' '),
            EXECUTOR_NUMBER: '0', WORKSPACE: workspace, WORKSPACE_TMP: "$workspace@tmp".toString()]
        return context.container ? variables + [POD_CONTAINER: context.container] : variables
    }

    /** Creates the pod and waits until all its containers run; throws with the reason when they will not. */
    void start(Branch branch) {
        Jenkins.get().addNode(node)
        new File(Jenkins.get().rootDir, "nodes/$name/busy").text = "$build.options.job #$build.options.number\n"
        cluster.create(pod.manifest)
        build.log.line("Created Pod: kubernetes $namespace/$name")
        long end = System.currentTimeMillis() + template.slaveConnectTimeout * 1000L
        while (!running()) {
            if (System.currentTimeMillis() > end) {
                throw new AbortException("Agent is not connected after $template.slaveConnectTimeout seconds, " +
                    "status: ${cluster.pod(namespace, name)?.status?.phase}")
            }
            branch.pause(200)
        }
        greet()
    }

    private void greet() {
        build.log.line("Agent $name is provisioned from template ${template.name ?: template.id}")
        if (template.showRawYaml) {
            build.log.line(Serialization.asYaml(pod.manifest).trim())
        }
        byte[] environment = cluster.run(this, 'mkdir -p "$1" && cd "$1" && env -0', [workspace])
        processEnvironment = new String(environment, 'UTF-8').tokenize('\0').collectEntries { it.split('=', 2).toList() }
    }

    private boolean running() {
        printEvents()
        Pod found = cluster.pod(namespace, name)
        String ended = failure(found)
        if (ended) {
            throw new AbortException(ended)
        }
        List<ContainerStatus> statuses = found.status.containerStatuses
        statuses.each { ContainerStatus status ->
            if (status.state.waiting?.reason in PULL_FAILURES) {
                throw new AbortException("Unable to pull Docker image \"$status.image\". " +
                    'Check if image tag name is spelled correctly.')
            }
        }
        return statuses && statuses.every { it.state.running }
    }

    /** Why the pod cannot serve any more, or null. */
    String failure(Pod found = cluster.pod(namespace, name)) {
        if (!found || found.metadata.deletionTimestamp) {
            return "Pod $namespace/$name was deleted"
        }
        ContainerStatus ended = found.status.containerStatuses.find { it.state.terminated }
        if (ended) {
            return "$namespace/$name Container $ended.name was terminated (Exit Code: $ended.state.terminated.exitCode, " +
                "Reason: $ended.state.terminated.reason)"
        }
        return found.status.phase == 'Failed' ? "$namespace/$name Pod just failed (Reason: $found.status.reason, " +
            "Message: $found.status.message)" : null
    }

    private void printEvents() {
        cluster.events(namespace, name).findAll { seenEvents.add("$it.metadata.uid/$it.reason") }.each {
            build.log.line("[$it.type][$namespace/$name][$it.reason] $it.message")
        }
    }

    void terminate() {
        Jenkins.get().removeNode(node)
        cluster.delete(namespace, name)
    }
}
