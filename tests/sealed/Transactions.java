// Ten transactions of a few records in a topic; every second one is aborted.
// usage: java -cp 'LIBRARIES/*' Transactions.java BROKER TOPIC

import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

public class Transactions {
    public static void main(String[] words) {
        Map<String, Object> settings = Map.of("bootstrap.servers", words[0], "transactional.id", "sealed");
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            producer.initTransactions();
            for (int transaction = 0; transaction < 10; ++transaction) {
                producer.beginTransaction();
                for (int record = 0; record < 40; ++record)
                    producer.send(new ProducerRecord<>(words[1], transaction + "/" + record, "x".repeat(8000)));
                producer.flush();
                if (transaction % 2 == 0) producer.commitTransaction();
                else producer.abortTransaction();
            }
        }
    }
}
